"""
Fill the shop: the same data for the same scale, every time.
"""

from __future__ import annotations

import datetime
import random
import sys
import time

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.core.management.color import no_style
from django.db import connection, transaction
from django.utils.text import slugify

from shop import models

BATCH = 2_000
EPOCH = datetime.datetime(2026, 1, 1, 9, tzinfo=datetime.timezone.utc)
HARD = ["Oak", "Copper", "Marble", "Walnut", "Ceramic", "Bamboo", "Steel"]
SOFT = ["Linen", "Wool", "Velvet"]
SENTENCES = [
    "Made by hand in a workshop of nine people.",
    "Each piece differs a little from the next.",
    "The colour deepens over the years.",
    "Wipe it with a dry cloth; it asks for no more.",
    "Drawn in 1962 and hardly changed since.",
    "It arrives in one box, ready to use.",
    "Spare parts are kept for twenty years.",
]
TREE = {
    "Living": {
        "Lighting": ["Lamp", "Lantern"],
        "Seating": ["Chair", "Stool"],
        "Textiles": ["Cushion", "Rug"],
        "Decoration": ["Vase", "Mirror"],
    },
    "Dining": {"Tables": ["Table"], "Tableware": ["Mug", "Bowl"], "Kitchen": ["Tray", "Jug"]},
    "Working": {"Desks": ["Desk"], "Storage": ["Shelf", "Box"], "Clocks": ["Clock"]},
    "Outdoor": {"Garden": ["Bench", "Planter"], "Balcony": ["Stool", "Lantern"]},
}
THINGS = {category: things for children in TREE.values() for category, things in children.items()}
ATTRIBUTES = {
    "Colour": ["Sand", "Moss", "Ink", "Clay", "Snow"],
    "Size": ["Small", "Medium", "Large"],
    "Style": ["Nordic", "Classic", "Loft", "Rustic"],
}
VOUCHERS = ["WELCOME", "SPRING", "LOYAL", "FRIENDS", "CLEARANCE"]
CITIES = ["Wrocław", "København", "Zürich", "Lisboa", "Kraków", "Malmö", "Gent", "Bath"]


class Command(BaseCommand):
    help = "Fill the shop with data; the same data for the same scale."

    def add_arguments(self, parser):
        parser.add_argument("--scale", type=float, default=1.0, help="1 makes 12,000 products and 60,000 orders")
        parser.add_argument("--if-empty", action="store_true", help="do nothing if the shop has products")

    def handle(self, *, scale, if_empty, verbosity, **options):
        if if_empty and models.Product.objects.exists():
            self.say(verbosity, "The shop is filled already.")
            return
        self.verbosity = verbosity
        self.random = random.Random(2026)
        began = time.perf_counter()
        scale = max(scale, 0.01)
        self.usernames = [f"customer{number:04d}" for number in range(int(200 * scale) or 5)]
        with transaction.atomic():
            self.clear(keep=self.usernames)
            self.make(scale)
            self.reset_sequences()
        self.analyze()
        self.say(verbosity, f"Filled the shop in {time.perf_counter() - began:.1f} s.")

    def say(self, verbosity, text):
        if verbosity:
            self.stdout.write(text)

    def clear(self, keep=()):
        for model in (
            models.SearchTerm, models.PriceListEntry, models.OrderLine, models.OrderArchive, models.Order,
            models.CartLine, models.Cart, models.Address, models.Voucher, models.Stock, models.Variant,
            models.ProductImage, models.Product.attribute_values.through, models.Product, models.AttributeValue,
            models.Attribute,
        ):  # fmt: skip
            model.objects.all()._raw_delete(using="default")
        models.Category.objects.all().delete()
        get_user_model().objects.filter(username__startswith="customer").exclude(username__in=keep).delete()

    def reset_sequences(self):
        # PostgreSQL's sequences know nothing of primary keys that were given.
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), self.tables()):
                cursor.execute(statement)

    def analyze(self):
        """
        Count the rows for the planner, which otherwise guesses until the database finds the time.
        """
        if connection.in_atomic_block:
            # MariaDB would commit it, and PostgreSQL would keep the numbers after a rollback.
            return
        tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in self.tables())
        # VACUUM lets an index that has all columns answer alone.
        statement = {"postgresql": "VACUUM ANALYZE", "sqlite": "ANALYZE"}.get(
            connection.vendor, f"ANALYZE TABLE {tables}"
        )
        with connection.cursor() as cursor:
            cursor.execute(statement)

    def tables(self):
        return list(apps.get_app_config("shop").get_models(include_auto_created=True))

    def make(self, scale):
        self.bulk(models.Category, self.make_categories())
        self.categories = list(models.Category.objects.exclude(parent=None).order_by("pk"))
        self.attributes = self.bulk(models.Attribute, (models.Attribute(name=name) for name in ATTRIBUTES))
        self.values = self.bulk(models.AttributeValue, self.make_values())
        self.products = self.bulk(models.Product, self.make_products(int(12_000 * scale)))
        self.bulk(models.Product.attribute_values.through, self.make_product_values())
        self.bulk(models.ProductImage, self.make_images())
        self.variants = self.bulk(models.Variant, self.make_variants())
        self.bulk(models.Stock, self.make_stock())
        self.bulk(models.SearchTerm, self.make_terms())
        self.copy(models.Variant, models.PriceListEntry, "sku", "name", "price_cents")
        self.vouchers = self.bulk(models.Voucher, self.make_vouchers())
        self.users = self.make_users()
        self.addresses = self.bulk(models.Address, self.make_addresses())
        carts = self.bulk(models.Cart, [models.Cart(user=self.users[0], created=EPOCH)])
        self.bulk(models.CartLine, self.make_cart_lines(carts[0]))
        self.orders = self.bulk(models.Order, self.make_orders(int(60_000 * scale)))
        self.copy(models.Order, models.OrderArchive, "number", "email", "status", "created", "total_cents")
        self.bulk(models.OrderLine, self.make_lines(int(5_000 * scale)))

    def bulk(self, model, objects):
        objects = list(objects)
        # Given, not generated: a second run makes the same rows, and MySQL returns none from an INSERT.
        for number, each in enumerate(objects, start=1):
            each.pk = number
        return self.insert(model, objects)

    def insert(self, model, objects, **options):
        name = str(model._meta.verbose_name_plural)
        for done in range(0, len(objects), BATCH):
            model.objects.bulk_create(objects[done : done + BATCH], **options)
            self.progress(name, min(done + BATCH, len(objects)), len(objects))
        return objects

    def copy(self, model, copy, *fields):
        quote = connection.ops.quote_name
        columns = ", ".join(quote(copy._meta.get_field(name).column) for name in ("id", *fields))
        source, target = (quote(each._meta.db_table) for each in (model, copy))
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {target} ({columns}) SELECT {columns} FROM {source}")

    def progress(self, name, done, total):
        if self.verbosity and sys.stdout.isatty():
            filled = round(30 * done / total)
            bar = "█" * filled + "░" * (30 - filled)
            self.stdout.write(f"\r  {name:<28.28} {bar} {done:>7,}", ending="\n" if done == total else "")
            self.stdout.flush()

    def make_categories(self):
        for name in TREE:
            yield models.Category(name=name, slug=slugify(name))
        for number, children in enumerate(TREE.values(), start=1):
            for child in children:
                yield models.Category(name=child, slug=slugify(child), parent_id=number)

    def make_values(self):
        for attribute in self.attributes:
            for value in ATTRIBUTES[attribute.name]:
                yield models.AttributeValue(attribute=attribute, name=value)

    def make_products(self, count):
        for number in range(count):
            turn, place = divmod(number, len(self.categories))
            category = self.categories[place]
            things, materials = THINGS[category.name], SOFT if category.name == "Textiles" else HARD
            material = materials[(3 * turn + place + turn // 7) % len(materials)]
            name = f"{material} {things[turn % len(things)]} No. {number + 1}"
            yield models.Product(
                name=name,
                slug=slugify(name),
                description=" ".join(SENTENCES[(number + step) % len(SENTENCES)] for step in range(0, 12, 2)),
                category=category,
                price_cents=self.random.randrange(900, 90_000, 50),
                featured=number % 20 == 0 or number < 24,
                created=EPOCH + datetime.timedelta(hours=number),
            )

    def make_product_values(self):
        through = models.Product.attribute_values.through
        for product in self.products:
            for value in sorted(self.random.sample(range(len(self.values)), 5)):
                yield through(product_id=product.pk, attributevalue_id=self.values[value].pk)

    def make_images(self):
        for product in self.products:
            # The pages show images of the first products only.
            for position in range(3 if product.pk <= len(self.products) // 12 else 1):
                yield models.ProductImage(
                    product=product, position=position, alt=f"{product.name}, view {position + 1}"
                )

    def make_variants(self):
        for product in self.products:
            price = product.price_cents
            for size in ("small", "medium", "large"):
                yield models.Variant(
                    product=product,
                    sku=f"SKU-{product.pk:05d}-{size[0].upper()}",
                    name=f"{product.name}, {size}"[:60],
                    price_cents=price,
                )
                price += self.random.randrange(500, 4_500, 10)

    def make_stock(self):
        for variant in self.variants:
            yield models.Stock(variant=variant, quantity=self.random.randrange(0, 80), warehouse="Hall 1")

    def make_terms(self):
        for product in self.products:
            for word in product.name.lower().split()[:2]:
                yield models.SearchTerm(word=word, product=product)

    def make_vouchers(self):
        for number, code in enumerate(VOUCHERS):
            yield models.Voucher(code=code, percent=5 * (number + 1), terms=f"Terms of {code}. " * 40)

    def make_users(self):
        # Their primary keys are not given, as there may be other users; a second run keeps those it finds.
        user = get_user_model()
        made = [user(username=name, email=f"{name}@example.com", date_joined=EPOCH) for name in self.usernames]
        self.insert(user, made, ignore_conflicts=True)
        return list(user.objects.filter(username__in=self.usernames).order_by("username"))

    def make_addresses(self):
        for number, user in enumerate(self.users):
            city = CITIES[number % len(CITIES)]
            yield models.Address(
                user=user, street=f"Market {number}", city=city, postcode=f"{number:05d}", country="PL"
            )

    def make_cart_lines(self, cart):
        for number in range(25):
            variant = self.variants[number * 7 % len(self.variants)]
            yield models.CartLine(cart=cart, variant=variant, quantity=number % 3 + 1)

    def make_orders(self, count):
        for number in range(count):
            user = self.random.randrange(len(self.users))
            yield models.Order(
                number=f"2026-{number:06d}",
                email=self.users[user].email,
                status="unfulfilled" if number % 100 == 7 else "fulfilled",
                created=EPOCH + datetime.timedelta(minutes=self.random.randrange(500_000)),
                total_cents=self.random.randrange(1_000, 200_000),
                user=self.users[user],
                address=self.addresses[user],
            )

    def make_lines(self, orders):
        # The older orders' lines are gone; what is left sold from a twelfth of the catalogue.
        sold = self.variants[: len(self.variants) // 12]
        for order in self.orders[:orders]:
            for _ in range(4):
                variant = sold[self.random.randrange(len(sold))]
                yield models.OrderLine(
                    order=order,
                    variant=variant,
                    voucher=self.vouchers[self.random.randrange(5)],
                    quantity=self.random.randrange(1, 5),
                    unit_price_cents=variant.price_cents,
                )
