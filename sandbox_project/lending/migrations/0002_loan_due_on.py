from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("lending", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="loan",
            name="due_on",
            field=models.DateField(null=True),
        ),
    ]
