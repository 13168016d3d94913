"""How findings are shown: sheets of pictures, tables, single HTML pages."""
