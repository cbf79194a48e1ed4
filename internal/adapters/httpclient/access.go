package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/operation"
)

// Authentication returns how callers prove their identity. It needs no credentials.
func (c *Client) Authentication(ctx context.Context) (api.Authentication, error) {
	var authentication api.Authentication
	_, err := c.get(ctx, apiRequest{path: "/v1/auth"}, &authentication)
	return authentication, err
}

// Identity returns the identity and the roles of the caller.
func (c *Client) Identity(ctx context.Context) (api.Identity, error) {
	var identity api.Identity
	_, err := c.get(ctx, apiRequest{path: "/v1/whoami"}, &identity)
	if err == nil && identity.Method == "" {
		err = c.unexpectedResponseError("an identity")
	}
	return identity, err
}

// Question is whether a subject has a permission. Empty fields, except Verb, are not part of
// it: no Subject means the caller.
type Question struct{ Verb, GameID, Region, Subject string }

// Decide returns the response of the daemon to the question. It fails with
// access.ErrForbidden if the caller must not name another subject.
func (c *Client) Decide(ctx context.Context, question Question) (api.Decision, error) {
	query := url.Values{"verb": {question.Verb}}
	setIfGiven(query, "game_id", question.GameID)
	setIfGiven(query, "region", question.Region)
	setIfGiven(query, "subject", question.Subject)
	var decision api.Decision
	_, err := c.get(ctx, apiRequest{path: "/v1/can-i", query: query}, &decision)
	if err == nil && decision.Permission == "" {
		err = c.unexpectedResponseError("a decision")
	}
	return decision, err
}

// Tokens returns the tokens without their secrets.
func (c *Client) Tokens(ctx context.Context) ([]api.Token, error) {
	var tokens api.Tokens
	_, err := c.get(ctx, apiRequest{path: "/v1/tokens"}, &tokens)
	if err == nil && tokens.Items == nil {
		err = c.unexpectedResponseError("a list of tokens")
	}
	return tokens.Items, err
}

// CreateToken creates a token that expires after lifetime; 0 means never. Its text is in the
// response only. It fails with access.ErrExists for a name in use, and with
// runtime.ErrOutcomeUnknown if the response is lost, and with it the text of the token.
func (c *Client) CreateToken(ctx context.Context, name string, grants []access.Grant, lifetime time.Duration) (api.NewToken, error) {
	body, err := json.Marshal(api.TokenRequest{Name: name, Grants: grants, ExpiresIn: operation.Duration(lifetime)})
	if err != nil {
		return api.NewToken{}, fmt.Errorf("encode token %q: %w", name, err)
	}
	var created api.NewToken
	err = c.changeOnce(ctx, apiRequest{method: http.MethodPost, path: "/v1/tokens", body: body}, &created,
		func() bool { return created.Name == name && created.Text != "" })
	return created, err
}

// RevokeToken revokes a token. It fails with access.ErrUnknownSubject if there is none of the
// name. It is retried until a response arrives.
func (c *Client) RevokeToken(ctx context.Context, name string) error {
	return c.retryDelete(ctx, apiRequest{path: "/v1/tokens/" + url.PathEscape(name)}, access.ErrUnknownSubject)
}

// Roles returns the role bindings.
func (c *Client) Roles(ctx context.Context) ([]access.Binding, error) {
	var roles api.Roles
	_, err := c.get(ctx, apiRequest{path: "/v1/roles"}, &roles)
	if err == nil && roles.Items == nil {
		err = c.unexpectedResponseError("a list of roles")
	}
	return roles.Items, err
}

// GrantRole grants a role to a subject, and returns its binding. It is retried until a
// response arrives.
func (c *Client) GrantRole(ctx context.Context, subject string, grant access.Grant) (access.Binding, error) {
	binding, _, err := c.changeRole(ctx, "/v1/roles/grant", api.RoleChange{Subject: subject, Grant: grant.String()})
	return binding, err
}

// RevokeRole revokes a role of a subject, or every role for nil, and returns the binding that
// remains. It fails with access.ErrUnknownSubject if the subject does not have the role. It is
// retried until a response arrives.
func (c *Client) RevokeRole(ctx context.Context, subject string, grant *access.Grant) (access.Binding, error) {
	change := api.RoleChange{Subject: subject}
	if grant != nil {
		change.Grant = grant.String()
	}
	binding, isRepeated, err := c.changeRole(ctx, "/v1/roles/revoke", change)
	if isRepeated && errors.Is(err, access.ErrUnknownSubject) {
		return access.Binding{Subject: subject, Grants: []access.Grant{}}, nil
	}
	return binding, err
}

// changeRole sends a change of a binding, which can be repeated.
func (c *Client) changeRole(ctx context.Context, path string, change api.RoleChange) (binding access.Binding, isRepeated bool, err error) {
	body, err := json.Marshal(change)
	if err != nil {
		return access.Binding{}, false, fmt.Errorf("encode the role of %q: %w", change.Subject, err)
	}
	isRepeated, err = c.retryWrite(ctx, func(ctx context.Context) error {
		binding = access.Binding{}
		_, err := c.attempt(ctx, apiRequest{method: http.MethodPost, path: path, body: body}, &binding)
		if err == nil && binding.Subject != change.Subject {
			err = &sendError{err: c.unexpectedResponseError("a role binding"), mayHaveArrived: true}
		}
		return err
	})
	return binding, isRepeated, err
}
