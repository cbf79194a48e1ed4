// Command openapi validates the OpenAPI 3.1 document at a URL with an independent
// library.
//
// It is compiled in a module of its own, so that the library is no dependency of the
// project.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: openapi URL")
		os.Exit(2)
	}
	summary, err := validate(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(summary)
}

// validate returns a one-line summary of the document, or all of its errors.
func validate(url string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	text, err := fetch(ctx, url)
	if err != nil {
		return "", err
	}
	loader := openapi3.NewLoader()
	loader.Context = ctx
	document, err := loader.LoadFromData(text)
	if err != nil {
		return "", fmt.Errorf("parse %s: %w", url, err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1.") {
		return "", fmt.Errorf("%s: OpenAPI version %s, want 3.1", url, document.OpenAPI)
	}
	if err := document.Validate(ctx, openapi3.EnableMultiError()); err != nil {
		return "", fmt.Errorf("%s is not valid:\n%w", url, err)
	}
	if document.Paths.Len() == 0 {
		return "", fmt.Errorf("%s: the document has no paths", url)
	}
	return fmt.Sprintf("%s: valid OpenAPI %s, %d paths, %d schemas",
		url, document.OpenAPI, document.Paths.Len(), len(document.Components.Schemas)), nil
}

// fetch returns the body of a response with status 200.
func fetch(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", url, err)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: status %s", url, response.Status)
	}
	return text, nil
}
