package access

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/node"
)

// Method is how a caller has proven its identity.
type Method string

// The methods.
const (
	// MethodNone: the daemon does not authenticate callers.
	MethodNone        Method = "none"
	MethodCertificate Method = "certificate"
	MethodToken       Method = "token"
	MethodOIDC        Method = "oidc"
)

// Prefixes of subjects and groups. A subject proven by one method can not equal one of another
// method.
const (
	PrefixUser      = "user:"  // common name of a client certificate
	PrefixNode      = "node:"  // REGION/NODE, the common name of a daemon's certificate
	PrefixToken     = "token:" // name of a static token
	PrefixOIDC      = "oidc:"
	PrefixGroup     = "group:" // organization of a client certificate
	PrefixOIDCGroup = "oidc-group:"
)

// Organizations of certificates with a fixed meaning.
const (
	// AdminsOrganization makes a client certificate one of an administrator. It needs no
	// binding, so that the first bindings can be made.
	AdminsOrganization = "rtmanager:admins"
	// NodesOrganization makes a certificate one of a daemon, whose common name is
	// REGION/NODE.
	NodesOrganization = "rtmanager:nodes"
)

// adminsGroup is the group of administrators by certificate.
const adminsGroup = PrefixGroup + AdminsOrganization

// Identity is a caller with a proven name.
type Identity struct {
	// Subject names the caller with a prefix that depends on the method, such as user:ada.
	// It is empty for a daemon that does not authenticate callers.
	Subject string
	// Groups are the groups of the caller, with a prefix.
	Groups []string
	Method Method
	// TokenID is the id of the token that proves the identity; empty for any other proof. A
	// later token of the same name is another proof.
	TokenID string
	// ExpiresAt is when the proof expires; zero for never.
	ExpiresAt time.Time
	// Via is the daemon that has forwarded the request, zero for none.
	Via node.Ref
	// IsFederated reports whether Via is a daemon of another store.
	IsFederated bool
}

// IsAnonymous reports whether the caller has no identity.
func (i Identity) IsAnonymous() bool { return i.Subject == "" }

// Node returns the daemon that the identity is of, and false for any other caller.
func (i Identity) Node() (node.Ref, bool) {
	name, isNode := strings.CutPrefix(i.Subject, PrefixNode)
	if !isNode {
		return node.Ref{}, false
	}
	ref, err := node.ParseRef(name)
	return ref, err == nil
}

// Credentials are what a caller presents.
type Credentials struct {
	// Certificates is the verified chain of the client certificate, leaf first; empty for
	// none.
	Certificates []*x509.Certificate
	// Bearer is the bearer token; empty for none.
	Bearer string
}

// FromCertificate returns the identity of a client certificate that has been verified. It
// returns an error for a certificate that names no valid subject.
func FromCertificate(certificate *x509.Certificate) (Identity, error) {
	name := certificate.Subject.CommonName
	if err := validateName(name); err != nil {
		return Identity{}, &UnauthenticatedError{Reason: "the common name of the client certificate " + err.Error()}
	}
	identity := Identity{Subject: PrefixUser + name, Method: MethodCertificate, ExpiresAt: certificate.NotAfter}
	if slices.Contains(certificate.Subject.Organization, NodesOrganization) {
		if _, err := node.ParseRef(name); err != nil {
			return Identity{}, &UnauthenticatedError{Reason: "the certificate of a daemon must have REGION/NODE as its common name"}
		}
		identity.Subject = PrefixNode + name
		return identity, nil
	}
	for _, organization := range certificate.Subject.Organization {
		if validateName(organization) == nil {
			identity.Groups = append(identity.Groups, PrefixGroup+organization)
		}
	}
	return identity, nil
}

type identityKey struct{}

// NewContext returns a context with the identity of the caller.
func NewContext(ctx context.Context, identity Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, identity)
}

// FromContext returns the identity of the caller, and an anonymous one if ctx has none.
func FromContext(ctx context.Context) Identity {
	identity, _ := ctx.Value(identityKey{}).(Identity)
	return identity
}
