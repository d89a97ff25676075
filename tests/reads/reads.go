// What kubectl reads of a file: its own decoder, behind a pipe.
//
// Input, repeated:   LENGTH\n  and LENGTH bytes of a file
// Output, for each:  one line of JSON: {"objects": [...], "error": "..."}, the objects before the first error.
//
// The steps are those of k8s.io/cli-runtime's FileVisitor, StreamVisitor and FlattenListVisitor.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

type answer struct {
	Objects []map[string]interface{} `json:"objects"`
	Error   string                   `json:"error"`
}

func (a *answer) add(raw []byte) error {
	object, _, err := unstructured.UnstructuredJSONScheme.Decode(raw, nil, nil)
	if err != nil {
		return err
	}
	if list, ok := object.(*unstructured.UnstructuredList); ok {
		for _, item := range list.Items {
			inner, err := json.Marshal(item.Object)
			if err != nil {
				return err
			}
			if err := a.add(inner); err != nil {
				return err
			}
		}
		return nil
	}
	a.Objects = append(a.Objects, object.(*unstructured.Unstructured).Object)
	return nil
}

func read(text []byte) answer {
	a := answer{Objects: []map[string]interface{}{}}
	source := transform.NewReader(bytes.NewReader(text), unicode.BOMOverride(unicode.UTF8.NewDecoder()))
	decoder := yaml.NewYAMLOrJSONDecoder(source, 4096)
	for {
		document := runtime.RawExtension{}
		err := decoder.Decode(&document)
		if err == io.EOF {
			return a
		}
		raw := bytes.TrimSpace(document.Raw)
		if err == nil && len(raw) > 0 && !bytes.Equal(raw, []byte("null")) {
			err = a.add(raw)
		}
		if err != nil {
			a.Error = err.Error()
			return a
		}
	}
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			panic(err)
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(in, text); err != nil {
			panic(err)
		}
		said, err := json.Marshal(read(text))
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(out, "%s\n", said)
		out.Flush()
	}
}
