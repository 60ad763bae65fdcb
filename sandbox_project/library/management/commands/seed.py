"""Fill every table with a few known rows, so that a migration that loses one is noticed.

Nothing here depends on the clock or on chance: two databases seeded alike hold the same rows,
and a second run changes none of them.
"""

from datetime import UTC, date, datetime, timedelta

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand
from django.db import transaction
from lending.models import Loan, Reader

from library.models import Author, Book, Genre

OPENED = datetime(2024, 1, 2, 9, 0, tzinfo=UTC)

# Title, author, isbn, copies, genres. Every `copies` differs from the default: a column that is
# dropped and added again comes back as 1, and that has to show.
BOOKS = [
    ("Pride and Prejudice", "Jane Austen", "9780141439518", 3, ["Romance"]),
    ("Emma", "Jane Austen", "9780141439587", 5, ["Romance", "Comedy"]),
    ("Frankenstein", "Mary Shelley", "9780141439471", 2, ["Gothic", "Science fiction"]),
    ("Dracula", "Bram Stoker", "9780141439846", 4, ["Gothic"]),
    ("Moby-Dick", "Herman Melville", "9780142437247", 2, ["Adventure"]),
    ("The Time Machine", "H. G. Wells", "9780141439976", 6, ["Science fiction"]),
]

READERS = [
    ("Ada", "ada@example.org"),
    ("Ben", "ben@example.org"),
    ("Cleo", "cleo@example.org"),
]

# Book, reader, lent on, returned on. Due after 14 days, as lending.0003_fill_due_on has it.
LOANS = [
    ("Emma", "Ada", date(2024, 3, 1), date(2024, 3, 12)),
    ("Dracula", "Ada", date(2024, 3, 12), None),
    ("Frankenstein", "Ben", date(2024, 3, 4), date(2024, 3, 18)),
    ("Moby-Dick", "Ben", date(2024, 3, 18), None),
    ("Emma", "Cleo", date(2024, 3, 20), None),
]


class Command(BaseCommand):
    help = "Fill every table with the same few rows; a second run changes nothing."

    @transaction.atomic
    def handle(self, **options):
        books = seed_library()
        seed_lending(books)
        seed_accounts(books["Emma"])
        if options["verbosity"]:
            self.stdout.write(
                f"Seeded {len(BOOKS)} books, {len(READERS)} readers, {len(LOANS)} loans "
                "and the user admin (password: admin)."
            )


def seed_library():
    """Return the books by title, because loans name them that way."""
    books = {}
    for title, name, isbn, copies, genres in BOOKS:
        author, _ = Author.objects.get_or_create(name=name)
        books[title], _ = Book.objects.get_or_create(
            title=title, author=author, defaults={"isbn": isbn, "copies": copies}
        )
        books[title].genres.set([Genre.objects.get_or_create(name=genre)[0] for genre in genres])
    return books


def seed_lending(books):
    readers = {
        name: Reader.objects.get_or_create(email=email, defaults={"name": name})[0]
        for name, email in READERS
    }
    for title, name, lent_on, returned_on in LOANS:
        Loan.objects.get_or_create(
            book=books[title],
            reader=readers[name],
            lent_on=lent_on,
            defaults={"due_on": lent_on + timedelta(days=14), "returned_on": returned_on},
        )


def seed_accounts(book):
    """Give each contrib table a row as well: their migrations can go wrong like any other."""
    lend = Permission.objects.get_by_natural_key("add_loan", "lending", "loan")
    librarians, _ = Group.objects.get_or_create(name="Librarians")
    librarians.permissions.set([lend])

    admin, _ = User.objects.get_or_create(
        username="admin",
        defaults={
            # A fixed salt gives the same bytes on every run, one iteration keeps it quick.
            "password": PBKDF2PasswordHasher().encode("admin", "sandbox", iterations=1),
            "email": "admin@example.org",
            "is_staff": True,
            "is_superuser": True,
            "date_joined": OPENED,
        },
    )
    admin.groups.set([librarians])
    admin.user_permissions.set([lend])

    LogEntry.objects.get_or_create(
        user=admin,
        content_type=ContentType.objects.get_for_model(book),
        object_id=str(book.pk),
        action_time=OPENED,
        defaults={
            "object_repr": str(book),
            "action_flag": CHANGE,
            "change_message": '[{"changed": {"fields": ["Copies"]}}]',
        },
    )
    # An expired session without data: real session data is signed together with the time.
    Session.objects.get_or_create(
        session_key="sandbox", defaults={"session_data": "", "expire_date": OPENED}
    )
