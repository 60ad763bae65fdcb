from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("library", "0002_book_isbn"),
    ]

    operations = [
        migrations.AddField(
            model_name="book",
            name="copies",
            field=models.PositiveIntegerField(default=1),
        ),
    ]
