package daemonhttp

import (
	"maps"
	"net/http"
	"slices"
)

// upgradeHeaders returns the headers of the upgrade to a WebSocket, of request and response.
func upgradeHeaders() []string {
	return []string{"Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol", "Sec-Websocket-Accept"}
}

// CopyUpgrade adds the headers of an upgrade to those of the forwarded request. It adds none for another request.
func CopyUpgrade(forwarded, inbound http.Header) {
	if inbound.Get("Upgrade") == "" {
		return
	}
	for _, name := range upgradeHeaders() {
		if values := inbound.Values(name); len(values) > 0 {
			forwarded[name] = values
		}
	}
}

// KeepUpgrade reports whether the response is an upgrade, and removes all other headers from it.
func KeepUpgrade(response *http.Response) bool {
	if response.StatusCode != http.StatusSwitchingProtocols {
		return false
	}
	maps.DeleteFunc(response.Header, func(name string, _ []string) bool { return !slices.Contains(upgradeHeaders(), name) })
	return true
}
