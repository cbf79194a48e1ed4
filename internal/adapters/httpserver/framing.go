package httpserver

import "net/http"

// closeAfterAmbiguousFraming closes the connection after the response to a request whose end
// a proxy in front of the server may determine in another way. What the proxy treats as the
// next request, or as the rest of the body, is then never read as a request (RFC 9112,
// sections 6.1 and 9.3).
//
// A chunked request may also have had a Content-Length, which net/http ignores and removes.
// Of a request of HTTP/1.0, net/http ignores the Transfer-Encoding.
func closeAfterAmbiguousFraming(r *http.Request, response http.Header) {
	if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
		response.Set("Connection", "close")
	}
}
