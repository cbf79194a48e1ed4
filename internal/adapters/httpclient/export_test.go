package httpclient

// NewTransport returns the transport of a client without a configured one.
var NewTransport = newTransport
