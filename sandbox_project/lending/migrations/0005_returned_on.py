from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("lending", "0004_due_on_required"),
    ]

    operations = [
        migrations.AddField(
            model_name="loan",
            name="returned_on",
            field=models.DateField(blank=True, null=True),
        ),
    ]
