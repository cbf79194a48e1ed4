package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// maxKeys bounds how many keys of a key set are used.
const maxKeys = 64

// Document is the discovery document of an issuer (OpenID Connect Discovery, 3). Endpoints
// that the issuer does not have are empty.
type Document struct {
	Issuer        string   `json:"issuer"`
	KeysURL       string   `json:"jwks_uri"`
	TokenURL      string   `json:"token_endpoint"`
	DeviceURL     string   `json:"device_authorization_endpoint"`
	RevocationURL string   `json:"revocation_endpoint"`
	ScopesOffered []string `json:"scopes_supported"`
}

// Discover fetches the discovery document. It fails if the document is of another issuer, or
// if an endpoint is less protected than the issuer.
func (c *Client) Discover(ctx context.Context) (Document, error) {
	address := strings.TrimSuffix(c.url, "/") + "/.well-known/openid-configuration"
	var document Document
	if err := c.getJSON(ctx, address, &document); err != nil {
		return Document{}, err
	}
	if document.Issuer != c.url {
		return Document{}, fmt.Errorf("the document at %s is of another issuer, %.200q", address, document.Issuer)
	}
	for name, endpoint := range map[string]string{
		"jwks_uri": document.KeysURL, "token_endpoint": document.TokenURL,
		"device_authorization_endpoint": document.DeviceURL, "revocation_endpoint": document.RevocationURL,
	} {
		if err := c.checkEndpoint(endpoint); err != nil {
			return Document{}, fmt.Errorf("the document of issuer %s: %s %w", c.url, name, err)
		}
	}
	return document, nil
}

// checkEndpoint accepts a missing endpoint and one that is as protected as the issuer.
func (c *Client) checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("%.200q is not a URL", endpoint)
	}
	withoutQuery := *u // endpoints of some issuers have one
	withoutQuery.RawQuery = ""
	if err := ValidateURL(withoutQuery.String()); err != nil {
		return err
	}
	if u.Scheme == "http" && strings.HasPrefix(c.url, "https:") {
		return fmt.Errorf("%.200q uses http although the issuer uses https", endpoint)
	}
	return nil
}

// Keys fetches the issuer's keys. It omits keys that it cannot decode, such as those of
// unsupported algorithms.
func (c *Client) Keys(ctx context.Context) ([]jose.JSONWebKey, error) {
	document, err := c.Discover(ctx)
	if err != nil {
		return nil, err
	}
	if document.KeysURL == "" {
		return nil, fmt.Errorf("the document of issuer %s has no jwks_uri", c.url)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := c.getJSON(ctx, document.KeysURL, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set at %s has %d keys, and %d are allowed", document.KeysURL, len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) == nil {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
