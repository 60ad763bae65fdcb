"""What the library owns. `lending` points here, so its migrations depend on these."""

from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=100)

    def __str__(self):
        return self.name


class Genre(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self):
        return self.name


class Book(models.Model):
    """Has one field of each kind that migrations treat differently: text, number, FK, M2M."""

    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    isbn = models.CharField(max_length=13, blank=True, default="")
    copies = models.PositiveIntegerField(default=1)
    genres = models.ManyToManyField(Genre, blank=True)

    class Meta:
        indexes = [models.Index(fields=["title"], name="library_book_title")]

    def __str__(self):
        return self.title
