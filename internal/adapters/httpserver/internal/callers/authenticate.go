package callers

import (
	"context"
	"net/http"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
)

// Authenticator proves the identity of callers, and knows their rights; services/auth implements it
// and documents the errors. It is safe for concurrent use.
type Authenticator interface {
	// Authenticate returns the identity that the credentials prove.
	Authenticate(ctx context.Context, credentials access.Credentials) (access.Identity, error)
	// EnsureKnown prepares Rights for an identity that another daemon has authenticated.
	EnsureKnown(ctx context.Context, identity access.Identity)
	// Rights returns the present rights of an identity.
	Rights(identity access.Identity) (access.Rights, error)
	// Changed returns a channel that is closed when rights may have changed.
	Changed() <-chan struct{}
}

// With returns the request with its caller. The actor of its writes is the proven subject,
// in place of the header that the client has sent.
func With(r *http.Request, c Caller) *http.Request {
	ctx := context.WithValue(access.NewContext(r.Context(), c.Identity), callerKey{}, c)
	r = r.WithContext(ctx)
	r.Header = r.Header.Clone()
	r.Header.Del("Authorization") // nothing behind this point needs it
	r.Header.Set(api.HeaderActor, api.EncodeHeaderText(c.Identity.Subject))
	return r
}

// Authenticate returns the caller of a request. It returns access.ErrUnauthenticated, or a
// problem for forwarding headers that the sender must not use. With an error, the caller has
// the identity that was proven, if any, and no rights.
func Authenticate(r *http.Request, authenticator Authenticator, authority Authority) (Caller, error) {
	credentials, err := credentialsOf(r, authority)
	if err != nil {
		return Caller{}, err
	}
	identity, err := authenticator.Authenticate(r.Context(), credentials)
	if err != nil {
		return Caller{}, err
	}
	original, err := originalCaller(r, authenticator, identity)
	if err != nil {
		return Caller{Identity: identity}, err
	}
	rights, err := authenticator.Rights(original)
	c := Caller{Identity: original, Rights: rights}
	if len(credentials.Certificates) > 0 {
		c.checkCertificate = func() error {
			_, err := authority.certificatesOf(r)
			return err
		}
	}
	return c, err
}

// originalCaller returns the caller whose request a daemon has forwarded, and otherwise the
// sender. Only a daemon may forward a request, under its own name.
func originalCaller(r *http.Request, authenticator Authenticator, sender access.Identity) (access.Identity, error) {
	header, forwardedBy, values := api.HeaderForwarded, r.Header.Values(api.HeaderForwarded), r.Header.Values(api.HeaderForwardedIdentity)
	federatedBy := r.Header.Values(api.HeaderFederated)
	if len(forwardedBy) == 0 && len(federatedBy) == 0 && len(values) == 0 {
		return sender, nil
	}
	from, isNode := sender.Node()
	if !isNode {
		return access.Identity{}, problem.New(api.CodeForbidden, sender.Subject+" must not forward requests; only daemons send the headers "+
			api.HeaderForwarded+", "+api.HeaderFederated+" and "+api.HeaderForwardedIdentity)
	}
	isFederated := len(federatedBy) > 0
	if isFederated {
		header = api.HeaderFederated
		forwardedBy = append(forwardedBy, federatedBy...)
	}
	if name, _ := api.DecodeHeaderText(r.Header.Get(header)); len(forwardedBy) != 1 || name != from.String() || len(values) > 1 {
		return access.Identity{}, problem.New(api.CodeForbidden, "the header "+header+" must name "+from.String()+", the daemon of the client certificate")
	}
	switch {
	case len(values) == 0 && isFederated:
		// The rights of the daemon are not those of its caller.
		return access.Identity{}, problem.New(api.CodeForbidden, "daemon "+from.String()+" of another store sends no identity of its caller; this store requires one")
	case len(values) == 0:
		return sender, nil
	}
	identity, err := api.DecodeIdentity(values[0])
	if err != nil {
		return access.Identity{}, problem.BadRequest("header."+api.HeaderForwardedIdentity, "%v", err)
	}
	identity.Via, identity.IsFederated = from, isFederated
	authenticator.EnsureKnown(r.Context(), identity)
	return identity, nil
}

// credentialsOf returns what the client presents.
func credentialsOf(r *http.Request, authority Authority) (access.Credentials, error) {
	var credentials access.Credentials
	var err error
	if credentials.Certificates, err = authority.certificatesOf(r); err != nil {
		return credentials, err
	}
	values := r.Header.Values("Authorization")
	switch len(values) {
	case 0:
		return credentials, nil
	case 1:
	default:
		return credentials, &access.UnauthenticatedError{Reason: "the request has several Authorization headers"}
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return credentials, &access.UnauthenticatedError{Reason: "the header Authorization must have the scheme Bearer"}
	}
	credentials.Bearer = strings.TrimSpace(token)
	return credentials, nil
}
