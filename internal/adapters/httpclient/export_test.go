package httpclient

// NewTransport is what a client makes its own requests with.
var NewTransport = newTransport
