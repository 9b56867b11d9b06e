"""Catalog: owns products with their SKUs, categories, the search index, bulk import and export in Shopify's layout.

Emits ``product.listed``, ``product.changed``, ``product.unlisted`` and ``bulk.advanced``; consumes these (search index,
bulk work) and ``stock.depleted``, ``stock.replenished`` (sold-out flags).
"""
