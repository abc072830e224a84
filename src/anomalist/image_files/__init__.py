"""Reading a user's folder of image files: its layout, decoding, masks and the decoded cache."""
