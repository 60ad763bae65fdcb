"""Who borrows what. A second app, so that there are migrations that depend on another app's."""

from django.db import models


class Reader(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)

    def __str__(self):
        return self.name


class Loan(models.Model):
    """A record of what happened, so neither its book nor its reader can be deleted under it."""

    book = models.ForeignKey("library.Book", on_delete=models.PROTECT)
    reader = models.ForeignKey(Reader, on_delete=models.PROTECT)
    lent_on = models.DateField()
    due_on = models.DateField()
    returned_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(due_on__gte=models.F("lent_on")),
                name="lending_loan_due_after_lent",
            )
        ]

    def __str__(self):
        return f"{self.book}, lent to {self.reader}"
