package daemonhttp

import (
	"mime"
	"net/http"

	"galaxy/rtmanager/internal/api"
)

// MediaType returns the media type of a response, and none for an encoded body, which no client of
// other daemons requests.
func MediaType(response *http.Response) string {
	if response.Header.Get("Content-Encoding") != "" {
		return ""
	}
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return media
}

// IsProblem reports whether the response is a problem document of an error status. Its status
// becomes that of this server's own response, so it must be one of HTTP.
func IsProblem(response *http.Response) bool {
	return MediaType(response) == api.ProblemMediaType && response.StatusCode >= 400 && response.StatusCode <= 599
}
