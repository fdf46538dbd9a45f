"""Placing an order: all of it, or nothing."""

from sqlalchemy import select

from .models import Order, OrderLine, Product, db


class OutOfStock(Exception):
    """A product has less stock than the cart wants."""


def place(customer, cart):
    """Takes the cart's products from stock and writes the order, in one transaction.

    Products are locked in the order of their ids, so that two orders never wait for each other in a circle.
    """
    wanted = {int(product): quantity for product, quantity in cart.items()}
    query = select(Product).where(Product.id.in_(wanted)).order_by(Product.id).with_for_update()
    order = Order(customer=customer)
    try:
        for product in db.session.scalars(query):
            quantity = wanted[product.id]
            if product.stock < quantity:
                raise OutOfStock(product.name)
            product.stock -= quantity
            order.lines.append(OrderLine(product=product, quantity=quantity, price=product.price))
        db.session.add(order)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
    return order
