"""Catalog: owns products with their SKUs, categories, the search index, bulk import and export in Shopify's layout.

Emits ``product.listed``, ``product.changed``, ``product.unlisted``, ``product.stock_turned``, ``categories.changed``
and ``bulk.advanced``; consumes the first three (search index), the last (bulk work) and ``stock.depleted``,
``stock.replenished`` (sold-out flags).
"""
