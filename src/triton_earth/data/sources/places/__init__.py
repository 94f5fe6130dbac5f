"""Where a value lies: coordinates of files, and how their cells go onto a grid."""
