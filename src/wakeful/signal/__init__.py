"""Arrays in, arrays out: decimation, spectra, bands, muscle tone."""
