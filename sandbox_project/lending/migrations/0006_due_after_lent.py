from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("lending", "0005_returned_on"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="loan",
            constraint=models.CheckConstraint(
                condition=models.Q(("due_on__gte", models.F("lent_on"))),
                name="lending_loan_due_after_lent",
            ),
        ),
    ]
