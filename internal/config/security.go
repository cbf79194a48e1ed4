package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Security is the part of Config that protects the API: its certificate, and how clients
// prove their identity.
type Security struct {
	// TLSCert and TLSKey are PEM files, the certificate chain of the API and its key; both or
	// neither are set. They are read a second time when they change. Empty serves the API over
	// http. The certificate is also the client certificate of this daemon to other daemons.
	TLSCert, TLSKey string
	// TLSClientCA is a PEM file with the authorities of client certificates and of other
	// daemons. It is read a second time when it changes. Empty accepts no client
	// certificate, and verifies other daemons by the authorities of the system.
	TLSClientCA string
	// Auth determines whether clients must prove their identity: an Auth constant. Default
	// AuthAuto.
	Auth string
}

// The modes of authentication. AuthAuto requires it if the API has a TLS certificate.
const (
	AuthAuto = "auto"
	AuthOn   = "on"
	AuthOff  = "off"
)

// authModes returns the modes of authentication.
func authModes() []string { return []string{AuthAuto, AuthOn, AuthOff} }

// HasTLS reports whether the API is served over TLS.
func (s Security) HasTLS() bool { return s.TLSCert != "" }

// AuthEnabled reports whether clients must prove their identity.
func (s Security) AuthEnabled() bool {
	return s.Auth == AuthOn || s.Auth == AuthAuto && s.HasTLS()
}

func defaultSecurity() Security { return Security{Auth: AuthAuto} }

func (s *Security) bindSecurity(f *pflag.FlagSet) {
	f.StringVar(&s.TLSCert, "tls-cert", s.TLSCert, "`FILE` with the certificate of the API, which is then served over https; also the client certificate of this daemon to others")
	f.StringVar(&s.TLSKey, "tls-key", s.TLSKey, "`FILE` with the key of --tls-cert")
	f.StringVar(&s.TLSClientCA, "tls-client-ca", s.TLSClientCA, "`FILE` with the CA certificates that verify clients and other daemons")
	f.StringVar(&s.Auth, "auth", s.Auth, "whether clients must prove their identity: `auto|on|off`; auto is on with --tls-cert")
}

func (s Security) validateSecurity() error {
	var v violations
	v.addIf((s.TLSCert == "") != (s.TLSKey == ""), "--tls-cert and --tls-key must be set together")
	v.addIf(s.TLSClientCA != "" && s.TLSCert+s.TLSKey == "", "--tls-client-ca has no effect without --tls-cert and --tls-key; set them")
	v.addIf(!slices.Contains(authModes(), s.Auth), "--auth %q is not a mode of authentication; use one of %s", s.Auth, strings.Join(authModes(), ", "))
	return v.join()
}

// validateExposure returns an error if other machines can reach the address without both TLS
// and authentication.
func (s Security) validateExposure(listen string) error {
	switch {
	case !s.HasTLS() && s.Auth == AuthOn:
		return fmt.Errorf("--listen %q can be reached from other machines, and credentials would be sent to it without encryption; set --tls-cert and --tls-key, use a loopback address, or --insecure", listen)
	case !s.HasTLS():
		return fmt.Errorf("--listen %q can be reached from other machines, and the API has neither TLS nor authentication; set --tls-cert and --tls-key, which require both, use a loopback address, or --insecure", listen)
	case !s.AuthEnabled():
		return fmt.Errorf("--listen %q can be reached from other machines, and --auth %s lets each of them change every game; omit --auth, use a loopback address, or --insecure", listen, s.Auth)
	default:
		return nil
	}
}
