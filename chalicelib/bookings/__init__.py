"""Bookings: times at which a service can be had, who agreed on which of them, and the code that proves it was given.

Owns the `bookings` table: slots by SKU with their capacity, bookings by order, codes by merchant. Emits `booking.*`.
Consumes `order.appointments_void` (what was agreed will not be paid for) and the deadlines of its own records. Asks
`catalog` whose a SKU is, and `orders` which units wait for a time; what is agreed stands in the order as well.
"""
