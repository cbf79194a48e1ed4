package clientconfig

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// Servers returns the URLs of a text that separates them by commas, without empty ones.
func Servers(text string) []string {
	servers := strings.Split(text, ",")
	for i, server := range servers {
		servers[i] = strings.TrimSpace(server)
	}
	return slices.DeleteFunc(servers, func(server string) bool { return server == "" })
}

// ValidateServers returns an error unless the text is the URLs of daemons, separated by commas. The
// error does not have the text, which may contain a password.
func ValidateServers(text string) error {
	servers := Servers(text)
	if len(servers) == 0 {
		return errNoServer
	}
	for _, server := range servers {
		u, err := url.Parse(server)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return errNoServer
		}
	}
	return nil
}

var errNoServer = errors.New("the server is not the address of a daemon; use http://HOST:PORT or https://HOST:PORT")

// areServersOf reports whether each of the servers is one of those of a context, so that the
// credentials of the context are for it.
func areServersOf(servers, context string) bool {
	owned := Servers(context)
	for i := range owned {
		owned[i] = normalizeServer(owned[i])
	}
	for _, server := range Servers(servers) {
		if !slices.Contains(owned, normalizeServer(server)) {
			return false
		}
	}
	return true
}

// normalizeServer returns one text for all URLs of the same daemon.
func normalizeServer(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	u.Host = strings.ToLower(u.Host)
	u.Path = strings.TrimRight(u.Path, "/")
	return u.String()
}
