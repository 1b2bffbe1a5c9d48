"""Other systems' mirror configuration, read into our model and written from it. Pure: texts in, values or texts out."""
