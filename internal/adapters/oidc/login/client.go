package login

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/adapters/oidc/internal/issuer"
)

var (
	// ErrDenied reports that the user or the issuer has denied the login.
	ErrDenied = errors.New("the login was denied")
	// ErrExpired reports that the user has not entered the code in time.
	ErrExpired = errors.New("the code has expired")
	// ErrLoginRequired reports that the tokens cannot be refreshed: the user must log in.
	ErrLoginRequired = errors.New("the login has expired")
	// ErrUnsupported reports that the issuer does not support the device flow.
	ErrUnsupported = errors.New("the issuer does not support the device authorization flow")
)

// Client gets tokens of one issuer. It is safe for concurrent use.
type Client struct {
	issuer   *issuer.Client
	url      string
	clientID string
	slowDown time.Duration // added to the interval when the issuer requests it
}

// New returns a client of the issuer for a public client, which has an id but no secret. The
// CA certificates in caFile verify the issuer; empty selects those of the system. New sends
// no request. It fails unless the URL is https, or http on a loopback host.
func New(issuerURL, clientID, caFile string) (*Client, error) {
	if clientID == "" {
		return nil, errors.New("the client id is empty")
	}
	client, err := issuer.New(issuerURL, caFile)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	return &Client{issuer: client, url: issuerURL, clientID: clientID, slowDown: slowDown}, nil
}

// discover returns the issuer's document.
func (c *Client) discover(ctx context.Context) (issuer.Document, error) {
	document, err := c.issuer.Discover(ctx)
	if err != nil {
		return issuer.Document{}, fmt.Errorf("issuer %s: %w", c.url, err)
	}
	if document.TokenURL == "" {
		return issuer.Document{}, fmt.Errorf("issuer %s: the document has no token_endpoint", c.url)
	}
	return document, nil
}
