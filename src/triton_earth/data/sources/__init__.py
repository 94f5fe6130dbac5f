"""Sources: anyone's NetCDF, HDF5 and Zarr as canonical fields, or a sentence that says what is wrong with them."""
