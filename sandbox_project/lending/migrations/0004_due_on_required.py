from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("lending", "0003_fill_due_on"),
    ]

    operations = [
        migrations.AlterField(
            model_name="loan",
            name="due_on",
            field=models.DateField(),
        ),
    ]
