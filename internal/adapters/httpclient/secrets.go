package httpclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/secret"
)

func secretPath(name string) string { return "/v1/secrets/" + url.PathEscape(name) }

// Secrets returns the descriptions of all secrets, ordered by name, without values.
func (c *Client) Secrets(ctx context.Context) ([]api.Secret, error) {
	var list api.Secrets
	_, err := c.get(ctx, apiRequest{path: "/v1/secrets"}, &list)
	if err == nil && list.Items == nil {
		err = c.unexpectedResponseError("a list of secrets")
	}
	return list.Items, err
}

// Secret returns the description of a secret, with its values if isRevealed. It fails with
// secret.ErrNotFound if there is no such secret; the values also need keys of the daemon
// (secret.ErrNoKeys, secret.ErrUnreadable).
func (c *Client) Secret(ctx context.Context, name string, isRevealed bool) (api.Secret, error) {
	if err := secret.ValidateName(name); err != nil {
		return api.Secret{}, err
	}
	request := apiRequest{path: secretPath(name)}
	if isRevealed {
		request.query = url.Values{"reveal": {"true"}}
	}
	var found api.Secret
	_, err := c.get(ctx, request, &found)
	if err == nil && found.Name != name {
		err = c.unexpectedResponseError("secret " + name)
	}
	return found, err
}

// PutSecret creates the secret or replaces all its values, and returns its description. A
// request without a response is runtime.ErrOutcomeUnknown; it may be repeated.
func (c *Client) PutSecret(ctx context.Context, input secret.PutInput) (api.Secret, error) {
	if err := input.Validate(); err != nil {
		return api.Secret{}, err
	}
	body, err := json.Marshal(api.SecretPut{Values: input.Values.Reveal(), Games: input.Games})
	if err != nil {
		return api.Secret{}, fmt.Errorf("encode the values of secret %q", input.Name) // err can contain a value
	}
	var stored api.Secret
	request := apiRequest{method: http.MethodPut, path: secretPath(input.Name), header: actorHeader(input.Actor), body: body}
	err = c.changeOnce(ctx, request, &stored, func() bool { return stored.Name == input.Name })
	return stored, err
}

// DeleteSecret deletes the secret. It fails with secret.ErrInUse if a game uses it, unless
// isForced, and with secret.ErrNotFound if there is no such secret.
func (c *Client) DeleteSecret(ctx context.Context, name string, isForced bool, actor string) error {
	if err := secret.ValidateName(name); err != nil {
		return err
	}
	request := apiRequest{method: http.MethodDelete, path: secretPath(name), header: actorHeader(actor)}
	if isForced {
		request.query = url.Values{"force": {"true"}}
	}
	return c.changeOnce(ctx, request, nil, func() bool { return true })
}

// RotateSecrets wraps the data keys of all secrets with the newest key of the daemon. It may be
// repeated.
func (c *Client) RotateSecrets(ctx context.Context) (api.SecretRotation, error) {
	var rotation api.SecretRotation
	request := apiRequest{method: http.MethodPost, path: "/v1/secrets/rotate"}
	err := c.changeOnce(ctx, request, &rotation, func() bool { return rotation.KeyID != "" })
	return rotation, err
}

// actorHeader returns the header with the actor, which may be empty.
func actorHeader(actor string) http.Header {
	header := http.Header{}
	if actor != "" {
		header.Set(api.HeaderActor, api.EncodeHeaderText(actor))
	}
	return header
}
