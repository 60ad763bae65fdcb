"""List columns that show at a glance whether a migration kept the data."""

from django.contrib import admin

from .models import Loan, Reader


@admin.register(Reader)
class ReaderAdmin(admin.ModelAdmin):
    list_display = ("name", "email")


@admin.register(Loan)
class LoanAdmin(admin.ModelAdmin):
    list_display = ("book", "reader", "lent_on", "due_on", "returned_on")
