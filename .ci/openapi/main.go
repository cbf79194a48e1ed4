// Command openapi asks a validator that knows nothing of this project whether
// the document at a URL is sound OpenAPI 3.1. It lives in a module of its own
// while it runs, so that the validator does not weigh on the project's.
package main

import (
	"context"
	"errors"
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

// validate returns a line about the sound document, or all of its faults.
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
		return "", fmt.Errorf("read the document of %s: %w", url, err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1.") {
		return "", fmt.Errorf("%s is OpenAPI %s, not 3.1", url, document.OpenAPI)
	}
	if err := document.Validate(ctx, openapi3.EnableMultiError()); err != nil {
		return "", fmt.Errorf("the document of %s is not valid:\n%w", url, err)
	}
	if document.Paths.Len() == 0 {
		return "", errors.New("the document describes no path")
	}
	return fmt.Sprintf("%s: valid OpenAPI %s, %d paths, %d schemas",
		url, document.OpenAPI, document.Paths.Len(), len(document.Components.Schemas)), nil
}

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
		return nil, fmt.Errorf("%s answered %s", url, response.Status)
	}
	return text, nil
}
