package clientconfig_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/clientconfig"
)

func TestServers(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"http://a:1", "http://b:2"}, clientconfig.Servers(" http://a:1, http://b:2,"))
	require.Empty(t, clientconfig.Servers(" ,"))
	for text, isValid := range map[string]bool{
		"http://a:1": true, "https://a,https://b/path": true, "": false, ",": false, "http://a,b": false, "http://a,http://u:p@b": false, "http://a,http://b?x=y": false,
	} {
		require.Equal(t, isValid, clientconfig.ValidateServers(text) == nil, "%q", text)
	}
}

// The credentials of a context are removed with its servers, unless the new ones are some of them.
func TestCredentialsAreForTheServersOfTheContext(t *testing.T) {
	t.Parallel()
	context := clientconfig.Context{Server: "https://a,https://b", Token: "secret"}
	for servers, want := range map[string]string{
		"https://b": "secret", "https://B/,https://a": "secret", "https://a,https://c": "", "https://c": "",
	} {
		require.Equal(t, want, context.WithSettings(clientconfig.Settings{Server: servers}).Token, servers)
	}
	file := clientconfig.File{Current: "prod", Contexts: map[string]clientconfig.Context{"prod": context}}
	for servers, want := range map[string]string{"": "secret", "https://a": "secret", "https://a,https://c": ""} {
		resolved, err := clientconfig.Resolve(clientconfig.Settings{Server: servers}, file)
		require.NoError(t, err)
		require.Equal(t, want, resolved.Token, servers)
	}
}
