"""The shop's own tests: `python manage.py test`."""

import threading
from decimal import Decimal

from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase

from .models import Order, OutOfStock, Product


class ShopTests(TransactionTestCase):
    """With real commits, as in production: each request sees what the one before wrote."""

    def add(self, name, stock, price="9.99"):
        body = {"name": name, "price": price, "stock": stock}
        answer = self.client.post("/products", body, content_type="application/json")
        self.assertEqual(answer.status_code, 201)
        return answer.json()["id"]

    def post(self, path, **body):
        return self.client.post(path, body, content_type="application/json")

    def stock(self):
        return {p["name"]: p["stock"] for p in self.client.get("/products").json()}

    def test_a_new_product_is_listed_by_the_next_request(self):
        for number in range(10):
            self.add(f"product {number}", number)
            self.assertEqual(len(self.client.get("/products").json()), number + 1)

    def test_an_order_takes_stock_and_is_shown_by_the_next_request(self):
        tea, cup = self.add("tea", 10, "4.50"), self.add("cup", 3, "7.00")
        self.post("/cart", product=tea, quantity=2)
        self.post("/cart", product=cup)
        placed = self.post("/orders", customer="Ada")
        self.assertEqual((placed.status_code, Decimal(placed.json()["total"])), (201, Decimal("16.00")))
        self.assertEqual(self.client.get(f"/orders/{placed.json()['id']}").json(), placed.json())
        self.assertEqual(self.stock(), {"tea": 8, "cup": 2})

    def test_an_order_that_cannot_be_filled_changes_nothing(self):
        tea, cup = self.add("tea", 10), self.add("cup", 1)
        self.post("/cart", product=tea, quantity=2)
        self.post("/cart", product=cup, quantity=2)
        self.assertEqual(self.post("/orders", customer="Ada").status_code, 409)
        self.assertEqual(self.stock(), {"tea": 10, "cup": 1})
        self.assertEqual(Order.objects.count(), 0)

    def test_two_customers_never_get_the_last_one(self):
        last = Product.objects.create(name="last one", price="1.00", stock=5)
        outcomes = []

        def buy():
            try:
                Order.place("somebody", {last.id: 1})
                outcomes.append("bought")
            except OutOfStock:
                outcomes.append("sold out")
            finally:
                connection.close()

        buyers = [threading.Thread(target=buy) for _ in range(12)]
        for buyer in buyers:
            buyer.start()
        for buyer in buyers:
            buyer.join()
        self.assertEqual(sorted(outcomes), ["bought"] * 5 + ["sold out"] * 7)
        # What other connections have written: in a transaction, which the primary serves.
        with transaction.atomic():
            last.refresh_from_db()
            self.assertEqual((last.stock, Order.objects.count()), (0, 5))


class InOneTransaction(TestCase):
    """Django wraps each of these tests in a transaction and rolls it back."""

    def test_a_nested_atomic_block_is_a_savepoint(self):
        product = Product.objects.create(name="tea", price="1.00", stock=1)
        with self.assertRaises(OutOfStock):
            Order.place("Ada", {product.id: 2})
        self.assertEqual(Order.objects.count(), 0)
        Order.place("Ada", {product.id: 1})
        product.refresh_from_db()
        self.assertEqual(product.stock, 0)
