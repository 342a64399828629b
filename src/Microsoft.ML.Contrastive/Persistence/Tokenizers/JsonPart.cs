using System.Text.Json;

namespace Microsoft.ML.Contrastive;

/// <summary>A place in a JSON file that nobody vouches for: what is not there is null, what is of another kind is an error that names file and place.</summary>
internal readonly record struct JsonPart(JsonElement Element, string File, string Place)
{
    public bool IsThere => Element.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null);

    /// <summary>What "type" says.</summary>
    public string? Type => Text("type");

    public JsonPart this[string name]
    {
        get
        {
            string place = Place.Length == 0 ? name : $"{Place}.{name}";
            if (!IsThere)
                return new(default, File, place);
            if (Element.ValueKind != JsonValueKind.Object)
                throw Damaged("an object");
            return new(Element.TryGetProperty(name, out JsonElement found) ? found : default, File, place);
        }
    }

    public bool Has(string name) => this[name].IsThere;

    public string? Text(string name) => this[name] is { IsThere: true } part ? part.AsText() : null;

    public string AsText()
    {
        try
        {
            return Element.ValueKind == JsonValueKind.String ? Element.GetString()! : throw Damaged("text");
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"{File} is damaged: {Place} is not valid UTF-16.", error); // an escaped half of a character
        }
    }

    public bool Flag(string name, bool standard) => this[name] is not { IsThere: true } part ? standard : part.Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw part.Damaged("true or false"),
    };

    public int Whole(string name)
        => this[name] is { Element.ValueKind: JsonValueKind.Number } part && part.Element.TryGetInt32(out int value) ? value : throw this[name].Damaged("a whole number");

    /// <summary>A number; <paramref name="standard"/> where there is none.</summary>
    public double Number(string name, double standard)
        => this[name] is not { IsThere: true } part ? standard : part.Element.ValueKind == JsonValueKind.Number ? part.Element.GetDouble() : throw part.Damaged("a number");

    /// <summary>The members of an object, by name; none where there is no object.</summary>
    public IEnumerable<(string Name, JsonPart Part)> Properties()
    {
        if (!IsThere)
            return [];
        if (Element.ValueKind != JsonValueKind.Object)
            throw Damaged("an object");
        string file = File;
        return Element.EnumerateObject().Select(member => (member.Name, new JsonPart(member.Value, file, member.Name)));
    }

    /// <summary>The items of a list; none where there is no list.</summary>
    public IEnumerable<JsonPart> Items()
    {
        if (!IsThere)
            return [];
        if (Element.ValueKind != JsonValueKind.Array)
            throw Damaged("a list");
        (string file, string place) = (File, Place);
        return Element.EnumerateArray().Select((item, index) => new JsonPart(item, file, $"{place}[{index}]"));
    }

    /// <summary>This, or where it is a "Sequence" what it is a sequence of, under the name; none where it is not there.</summary>
    public IEnumerable<JsonPart> Flattened(string name) => !IsThere ? [] : Type == "Sequence" ? this[name].Items().SelectMany(part => part.Flattened(name)) : [this];

    /// <summary>This, if it is of the type.</summary>
    /// <exception cref="InvalidDataException">It is of another.</exception>
    public JsonPart Of(string what, string type) => Type == type ? this : throw Unknown($"{what} {Type ?? "null"}");

    public InvalidDataException Unknown(string what) => new($"{File} has a {Printable.Message(what)}{(Place.Length == 0 ? "" : $" (at {Printable.Message(Place)})")}, which is not supported.");

    private InvalidDataException Damaged(string expected) => new($"{File} is damaged: {Printable.Message(Place)} must be {expected}, not {Element.ValueKind}.");
}
