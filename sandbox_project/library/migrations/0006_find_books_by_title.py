from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("library", "0005_longer_titles"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="book",
            index=models.Index(fields=["title"], name="library_book_title"),
        ),
    ]
