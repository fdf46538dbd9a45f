"""Products, orders and their lines."""

from django.db import models, transaction
from django.db.models import F, Sum


class OutOfStock(Exception):
    """A product has less stock than the cart wants."""


class Product(models.Model):
    name = models.CharField(max_length=100, unique=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)

    def as_json(self):
        return {"id": self.id, "name": self.name, "price": str(self.price), "stock": self.stock}


class Order(models.Model):
    customer = models.CharField(max_length=100)
    placed_at = models.DateTimeField(auto_now_add=True)

    @classmethod
    @transaction.atomic
    def place(cls, customer, cart):
        """Takes the cart's products from stock and writes the order: all of it, or nothing."""
        wanted = {int(product): quantity for product, quantity in cart.items()}
        order = cls.objects.create(customer=customer)
        # Locked in the order of their ids, so that two orders never wait for each other in a circle.
        for product in Product.objects.select_for_update().filter(id__in=wanted).order_by("id"):
            quantity = wanted[product.id]
            if product.stock < quantity:
                raise OutOfStock(product.name)
            Product.objects.filter(id=product.id).update(stock=F("stock") - quantity)
            order.lines.create(product=product, quantity=quantity, price=product.price)
        return order

    @property
    def total(self):
        return self.lines.aggregate(total=Sum(F("price") * F("quantity")))["total"]

    def as_json(self):
        lines = self.lines.select_related("product").order_by("id")
        return {
            "id": self.id,
            "customer": self.customer,
            "total": str(self.total),
            "lines": [{"product": line.product.name, "quantity": line.quantity} for line in lines],
        }


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    price = models.DecimalField(max_digits=10, decimal_places=2)
