package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// OAuthError is an error response of a token endpoint (RFC 6749, 5.2).
type OAuthError struct {
	// Code is the error code, such as access_denied.
	Code string
	// Description may be empty. It is not verified.
	Description string
}

// Error returns the code and the description.
func (e *OAuthError) Error() string {
	if e.Description == "" {
		return fmt.Sprintf("%.64q", e.Code)
	}
	return fmt.Sprintf("%.64q, %.200q", e.Code, e.Description)
}

// StatusError is an error response without an error code.
type StatusError struct{ Status int }

// Error returns the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("the response is %d %s", e.Status, http.StatusText(e.Status))
}

// PostForm sends a form to an endpoint of the issuer and decodes the response into target,
// unless it is nil. It returns an *OAuthError or a *StatusError for an error response. No
// error has a value of the form.
func (c *Client) PostForm(ctx context.Context, endpoint string, form url.Values, target any) error {
	client, err := c.HTTPClient()
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("post to %.200q: not a URL", endpoint)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := ReadBody(response)
	if err != nil {
		return fmt.Errorf("post to %s: %w", endpoint, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("post to %s: %w", endpoint, errorResponse(response.StatusCode, body))
	}
	if target != nil && json.Unmarshal(body, target) != nil {
		return fmt.Errorf("post to %s: the response is not the expected JSON document", endpoint)
	}
	return nil
}

// errorResponse returns the error of a response.
func errorResponse(status int, body []byte) error {
	var document struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if status >= http.StatusInternalServerError || json.Unmarshal(body, &document) != nil || document.Code == "" {
		return &StatusError{status}
	}
	return &OAuthError{document.Code, document.Description}
}
