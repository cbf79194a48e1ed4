package httpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/loopback"
)

// ErrUnencrypted reports that a token would have been sent without encryption to another
// machine. The request was not sent.
var ErrUnencrypted = errors.New("the token would be sent without encryption")

// Credentials prove the identity of a client. The zero value proves none.
type Credentials struct {
	// Token returns the bearer token of the next request, empty for none. It is called for
	// each request, so that a token can be replaced, and must be safe for concurrent use.
	Token func(ctx context.Context) (string, error)
	// AllowUnencrypted allows sending the token over http to another machine.
	AllowUnencrypted bool
	// TLS has the client certificate and the authorities that verify the server; nil means
	// no certificate, and the authorities of the system.
	TLS *tls.Config
}

// credentialsError is the error of a request that was not sent, because the credentials
// could not be.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// authorize adds the token to the request. net/http does not follow redirects for this
// client, so the token is sent to the server of the request only.
func (c *Client) authorize(ctx context.Context, request *http.Request) error {
	source := c.cfg.Credentials.Token
	if source == nil {
		return nil
	}
	token, err := source(ctx)
	switch {
	case err != nil:
		return &credentialsError{err}
	case token == "":
		return nil
	case request.URL.Scheme != "https" && !loopback.IsHost(request.URL.Hostname()) && !c.cfg.Credentials.AllowUnencrypted:
		return &credentialsError{fmt.Errorf("%w to %s; use https", ErrUnencrypted, request.URL.Scheme+"://"+request.URL.Host)}
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// isRejectedCaller reports whether the error concerns the credentials of the client or its
// rights, so that a retry with the same credentials fails too.
func isRejectedCaller(err error) bool {
	var credentialsErr *credentialsError
	return errors.As(err, &credentialsErr) || errors.Is(err, access.ErrUnauthenticated) || errors.Is(err, access.ErrForbidden) || isCertificateAlert(err)
}
