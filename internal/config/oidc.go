package config

import (
	"cmp"
	"fmt"
	"net/url"

	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/loopback"
)

// OIDC is the part of Config for an OpenID Connect issuer whose tokens prove the identity of
// clients.
type OIDC struct {
	// OIDCIssuer is the URL of the issuer, exactly as its tokens name it. Empty accepts no
	// tokens of an issuer.
	OIDCIssuer string
	// OIDCClientID is the client id of `rtmanager login` at the issuer. Required with
	// OIDCIssuer.
	OIDCClientID string
	// OIDCAudience is the audience that a token must have. Default OIDCClientID.
	OIDCAudience string
	// OIDCUsernameClaim and OIDCGroupsClaim are the claims with the username and with the
	// groups. Default sub, which the issuer never gives to another user, and groups.
	OIDCUsernameClaim, OIDCGroupsClaim string
	// OIDCCA is a PEM file with the authorities that verify the issuer. It is read a second
	// time when it changes. Empty selects those of the system.
	OIDCCA string
}

// HasOIDC reports whether tokens of an issuer are accepted.
func (o OIDC) HasOIDC() bool { return o.OIDCIssuer != "" }

// TokenAudience returns the audience that tokens of the issuer must have.
func (o OIDC) TokenAudience() string { return cmp.Or(o.OIDCAudience, o.OIDCClientID) }

func defaultOIDC() OIDC { return OIDC{OIDCUsernameClaim: "sub", OIDCGroupsClaim: "groups"} }

func (o *OIDC) bindOIDC(f *pflag.FlagSet) {
	f.StringVar(&o.OIDCIssuer, "oidc-issuer", o.OIDCIssuer, "`URL` of the OpenID Connect issuer whose tokens prove the identity of clients")
	f.StringVar(&o.OIDCClientID, "oidc-client-id", o.OIDCClientID, "client `ID` of rtmanager login at the issuer")
	f.StringVar(&o.OIDCAudience, "oidc-audience", o.OIDCAudience, "`AUDIENCE` that tokens must have (default: --oidc-client-id)")
	f.StringVar(&o.OIDCUsernameClaim, "oidc-username-claim", o.OIDCUsernameClaim, "`CLAIM` with the username; email must be verified by the issuer, and users may be able to change other claims")
	f.StringVar(&o.OIDCGroupsClaim, "oidc-groups-claim", o.OIDCGroupsClaim, "`CLAIM` with the groups of the user")
	f.StringVar(&o.OIDCCA, "oidc-ca", o.OIDCCA, "`FILE` with the CA certificates that verify the issuer")
}

func (o OIDC) validateOIDC(isAuthEnabled bool) error {
	var v violations
	if !o.HasOIDC() {
		v.addIf(o.OIDCClientID+o.OIDCAudience+o.OIDCCA != "", "--oidc-client-id, --oidc-audience and --oidc-ca require --oidc-issuer")
		return v.join()
	}
	v.add(validateIssuer(o.OIDCIssuer))
	v.addIf(o.OIDCClientID == "", "--oidc-issuer requires --oidc-client-id")
	v.addIf(o.OIDCUsernameClaim == "", "--oidc-username-claim is empty; use sub")
	v.addIf(o.OIDCGroupsClaim == "", "--oidc-groups-claim is empty; use groups")
	v.addIf(!isAuthEnabled, "--oidc-issuer has no effect while clients need not prove their identity; set --auth on, or --tls-cert")
	return v.join()
}

func validateIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("--oidc-issuer %q is not a URL such as https://login.example.com", RedactURL(issuer))
	case u.Scheme == "http" && !loopback.IsHost(u.Hostname()):
		return fmt.Errorf("--oidc-issuer %q uses http, so that its keys could be replaced on the way; use https", issuer)
	}
	return nil
}
