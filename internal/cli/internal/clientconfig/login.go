package clientconfig

import "time"

// Login is a login at an OpenID Connect issuer.
type Login struct {
	Issuer   string `json:"issuer"`
	ClientID string `json:"client-id"`
	// CACert has the authorities that verify the issuer; empty selects those of the system.
	CACert string `json:"cacert,omitempty"`
	// IDToken proves the identity until ExpiresAt. RefreshToken gets the next one; it may be
	// empty.
	IDToken      string    `json:"id-token"`
	RefreshToken string    `json:"refresh-token,omitempty"`
	ExpiresAt    time.Time `json:"expires-at"`
}

// SetTokens replaces the tokens.
func (l *Login) SetTokens(idToken, refreshToken string, expiresAt time.Time) {
	l.IDToken, l.RefreshToken, l.ExpiresAt = idToken, refreshToken, expiresAt
}
