package labelselector_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation"

	"galaxy/rtmanager/internal/domain/runtime"
)

// TestLabelSyntaxIsThatOfKubernetes compares the rules of the domain with those of Kubernetes.
func TestLabelSyntaxIsThatOfKubernetes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "a", "env", "A_b.c-1", "-a", "a-", "a b", "ä", "a\n", "\na", "a/b", "/b", "a/", "a/b/c", "example.com/x", "Example.com/x", "ex..com/x", "-x.com/y",
		strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("x", 253) + "/y", strings.Repeat("x", 254) + "/y", "a=b", "\x00",
	} {
		require.Equal(t, len(validation.IsQualifiedName(text)) == 0, runtime.ValidateLabelKey("labels", text) == nil, "key %q", text)
		require.Equal(t, len(validation.IsValidLabelValue(text)) == 0, runtime.ValidateLabels("labels", map[string]string{"k": text}) == nil, "value %q", text)
	}
}
