package oidc

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"galaxy/rtmanager/internal/adapters/oidc/internal/issuer"
)

// The default claims. An issuer never assigns a subject to another user, unlike an email
// address or a preferred username.
const (
	DefaultUsernameClaim = "sub"
	DefaultGroupsClaim   = "groups"
)

// Config describes the issuer and the tokens that a Verifier accepts.
type Config struct {
	// Issuer is the URL of the issuer, exactly as its tokens name it: https, or http on a
	// loopback host.
	Issuer string
	// Audience is the value that the audience of a token must contain.
	Audience string
	// UsernameClaim is the claim with the username. Default DefaultUsernameClaim. The
	// claim "email" is accepted only with "email_verified".
	UsernameClaim string
	// GroupsClaim is the claim with the groups, a list of texts or one text. A token
	// without it has no groups. Default DefaultGroupsClaim.
	GroupsClaim string
	// CAFile has the CA certificates that verify the issuer. It is read for each request.
	// Empty selects those of the system.
	CAFile string
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger receives a warning when the issuer becomes unavailable. Default none.
	Logger *slog.Logger
}

// Validate returns an error that names the invalid field.
func (c Config) Validate() error {
	if err := issuer.ValidateURL(c.Issuer); err != nil {
		return fmt.Errorf("issuer %w", err)
	}
	if c.Audience == "" {
		return errors.New("the audience is empty; set it to the client id that the issuer writes into tokens")
	}
	return nil
}

func withDefaults(cfg Config) Config {
	cfg.UsernameClaim = cmp.Or(cfg.UsernameClaim, DefaultUsernameClaim)
	cfg.GroupsClaim = cmp.Or(cfg.GroupsClaim, DefaultGroupsClaim)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}
