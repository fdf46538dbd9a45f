"""The shop's pages, as JSON."""

from flask import Blueprint, abort, jsonify, request, session
from sqlalchemy import select

from . import orders
from .models import Order, Product, db

shop = Blueprint("shop", __name__)


@shop.get("/products")
def products():
    found = db.session.scalars(select(Product).order_by(Product.name))
    return jsonify([product.as_json() for product in found])


@shop.get("/products/<int:product_id>")
def show_product(product_id):
    return jsonify((db.session.get(Product, product_id) or abort(404)).as_json())


@shop.post("/products")
def add_product():
    product = Product(**request.get_json())
    db.session.add(product)
    db.session.commit()
    return jsonify(product.as_json()), 201


@shop.post("/cart")
def add_to_cart():
    wanted = request.get_json()
    product = db.session.get(Product, wanted["product"]) or abort(404)
    cart = dict(session.get("cart", {}))
    cart[str(product.id)] = cart.get(str(product.id), 0) + wanted.get("quantity", 1)
    session["cart"] = cart
    return jsonify(cart)


@shop.post("/orders")
def place_order():
    if not session.get("cart"):
        abort(400, "the cart is empty")
    try:
        order = orders.place(request.get_json()["customer"], session["cart"])
    except orders.OutOfStock as missing:
        abort(409, f"not enough of {missing}")
    session.pop("cart")
    return jsonify(order.as_json()), 201


@shop.get("/orders/<int:order_id>")
def show_order(order_id):
    return jsonify((db.session.get(Order, order_id) or abort(404)).as_json())
