"""Products, orders and their lines."""

from datetime import UTC, datetime
from decimal import Decimal

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import CheckConstraint, ForeignKey, Numeric, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Product(db.Model):
    __tablename__ = "flask_product"
    __table_args__ = (CheckConstraint("stock >= 0", name="flask_product_stock"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    stock: Mapped[int] = mapped_column(default=0)

    def as_json(self):
        return {"id": self.id, "name": self.name, "price": str(self.price), "stock": self.stock}


class Order(db.Model):
    __tablename__ = "flask_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(String(100))
    placed_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC).replace(tzinfo=None))
    lines: Mapped[list["OrderLine"]] = relationship(cascade="all, delete-orphan")

    @property
    def total(self):
        return sum((line.price * line.quantity for line in self.lines), Decimal(0))

    def as_json(self):
        lines = [{"product": line.product.name, "quantity": line.quantity} for line in self.lines]
        return {"id": self.id, "customer": self.customer, "total": str(self.total), "lines": lines}


class OrderLine(db.Model):
    __tablename__ = "flask_order_line"

    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id), primary_key=True)
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    product: Mapped[Product] = relationship()
