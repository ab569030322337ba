"""How invented rows of a schema shall look: public hints that no plan, bound or release rests on."""
