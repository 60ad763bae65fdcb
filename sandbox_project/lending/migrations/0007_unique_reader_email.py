from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("lending", "0006_due_after_lent"),
    ]

    operations = [
        migrations.AlterField(
            model_name="reader",
            name="email",
            field=models.EmailField(max_length=254, unique=True),
        ),
    ]
