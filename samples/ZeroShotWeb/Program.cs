using System.Globalization;
using System.Net;
using System.Reflection;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.ML;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using SkiaSharp;
using ZeroShot;
using ZeroShotWeb;

// A page on which any words are the classes of any picture. Without --model it trains what samples/ZeroShot trains, while the page shows how far it is.
// Everything stays on this machine and in memory: the page asks nobody else, and an uploaded picture is forgotten with its answer.
const int MaxPictureBytes = 10 << 20, MaxLabelsLength = 100_000, MaxLabels = 500;
const long MaxPixels = 50_000_000;
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
Dictionary<string, string> options = args.Chunk(2).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1]);
if (args.Length % 2 != 0 || options.Keys.Except(["--model", "--epochs", "--port"]).Any()
    || !ushort.TryParse(options.GetValueOrDefault("--port", "5080"), out ushort port) || !int.TryParse(options.GetValueOrDefault("--epochs", "60"), out int epochs) || epochs < 1)
{
    Console.Error.WriteLine("Usage: ZeroShotWeb [--model CHECKPOINT-OR-ZIP | --epochs N] [--port N, 0 for any that is free]");
    return 2;
}

var templates = new Dictionary<string, PromptTemplates>
{
    ["none"] = PromptTemplates.None, ["simple"] = PromptTemplates.Simple, ["photos"] = PromptTemplates.Photos, ["drawings"] = PromptTemplates.Drawings,
};
var examples = Emoji.ReadNames().Where((_, index) => index % 33 == 7).ToDictionary(emoji => emoji.File, emoji => emoji.Name);
var ml = new MLContext(seed: 1);
options.TryGetValue("--model", out string? path);
TrainingProgress? progress = null;

WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.Listen(IPAddress.Loopback, port);
    kestrel.Limits.MaxRequestBodySize = MaxPictureBytes + 2 * MaxLabelsLength;
});
builder.Services.AddHostFiltering(hosts => hosts.AllowedHosts = ["127.0.0.1", "localhost"]); // or another site's name could be pointed here
await using WebApplication app = builder.Build();
app.UseHostFiltering();
app.Use(async (context, next) =>
{
    context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    context.Response.Headers.XContentTypeOptions = "nosniff";
    await next(context);
});

Task<Scorer> loading;
try
{
    loading = path is null ? Task.Run(Train) : Task.FromResult(new Scorer(ml, ml.Model.LoadClip(path)));
}
catch (Exception error) when (error is IOException or InvalidDataException or UnauthorizedAccessException or FormatException or TargetInvocationException)
{
    return Fail((error.InnerException ?? error).Message);
}

app.MapGet("/", () => Results.Stream(typeof(Scorer).Assembly.GetManifestResourceStream("page.html")!, "text/html; charset=utf-8"));
app.MapGet("/model", () => new
{
    Name = path is null ? "trained here, on 400 emoji and their names" : Path.GetFileName(Path.TrimEndingDirectorySeparator(path)),
    IsReady = loading.IsCompletedSuccessfully,
    progress?.Step,
    progress?.TotalSteps,
    HasSigmoid = loading is { IsCompletedSuccessfully: true, Result.HasSigmoid: true },
    Template = path is null ? "none" : "simple",
    Templates = templates.Select(set => new { Name = set.Key, Sentences = set.Value.Templates }),
    Examples = examples.Select(emoji => new { File = emoji.Key, Name = emoji.Value }),
    MaxPictureBytes,
});
app.MapGet("/examples/{file}", (string file) => examples.ContainsKey(file) ? Results.Bytes(Emoji.ReadFile("twitter", file), "image/png") : Results.NotFound());
app.MapPost("/scores", async (HttpRequest request, CancellationToken aborted) =>
{
    try
    {
        (MLImage picture, string[] labels, PromptTemplates set, bool isSigmoid) = await Read(request, aborted);
        using MLImage _ = picture;
        float[] scores = await (await loading).ScoreAsync(picture, labels, set, isSigmoid, aborted);
        return Results.Json(new { labels, scores });
    }
    catch (BadHttpRequestException error)
    {
        return Results.Json(new { error = error.Message }, statusCode: error.StatusCode);
    }
});

try
{
    await app.StartAsync();
}
catch (IOException error)
{
    return Fail($"{error.Message} Another port is had by --port N.");
}
Console.WriteLine($"{app.Urls.Single()} is the page; Ctrl+C ends it.");
try
{
    await loading;
}
catch (OperationCanceledException)
{
    return 0;
}
await app.WaitForShutdownAsync();
(await loading).Dispose();
return 0;

static int Fail(string message)
{
    Console.Error.WriteLine(message);
    return 1;
}

Scorer Train()
{
    Emoji[] google = Emoji.Read("google");
    Console.WriteLine($"Training on {google.Length} emoji of one vendor and their names, {epochs} epochs:");
    return new Scorer(ml, EmojiModel.Train(ml, google, epochs, new Progress<TrainingProgress>(now =>
    {
        progress = now;
        Console.WriteLine($"  step {now.Step} of {now.TotalSteps}, loss {now.Loss:f2}");
    }), app.Lifetime.ApplicationStopping));
}

// What the page sent, held against the limits; the form is kept in memory.
async Task<(MLImage Picture, string[] Labels, PromptTemplates Templates, bool IsSigmoid)> Read(HttpRequest request, CancellationToken aborted)
{
    if (!loading.IsCompletedSuccessfully)
        throw new BadHttpRequestException("The model is still in training: ask again when it is ready.", StatusCodes.Status503ServiceUnavailable);
    if (!request.HasFormContentType)
        throw new BadHttpRequestException("Send a form with picture, labels, templates and scores.", StatusCodes.Status415UnsupportedMediaType);
    IFormCollection form;
    try
    {
        form = await request.ReadFormAsync(new FormOptions { MemoryBufferThreshold = MaxPictureBytes + 1, MultipartBodyLengthLimit = MaxPictureBytes, ValueLengthLimit = MaxLabelsLength }, aborted);
    }
    catch (Exception error) when (error is InvalidDataException or BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge })
    {
        throw new BadHttpRequestException($"That is too much: a picture has at most {MaxPictureBytes >> 20} MB, the labels {MaxLabelsLength:n0} characters.", StatusCodes.Status413PayloadTooLarge);
    }
    string[] labels = form["labels"].ToString().Split(['\n', '\r', ','], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
    if (labels.Length is 0 or > MaxLabels)
        throw new BadHttpRequestException(labels.Length == 0 ? "There are no labels: write what the picture may show, one a line or with commas between." : $"There are {labels.Length} labels; {MaxLabels} are the most.");
    if (labels.GroupBy(label => label).FirstOrDefault(group => group.Count() > 1)?.Key is { } twice)
        throw new BadHttpRequestException($"The label '{twice}' comes twice: leave one of them out.");
    if (!templates.TryGetValue(form["templates"].ToString(), out PromptTemplates? set))
        throw new BadHttpRequestException($"There are no templates '{form["templates"]}': choose {string.Join(", ", templates.Keys)}.");
    string kind = form["scores"].ToString();
    if (kind is not ("softmax" or "sigmoid") || (kind == "sigmoid" && !loading.Result.HasSigmoid))
        throw new BadHttpRequestException(kind == "sigmoid" ? "The model was not trained with a bias, without which sigmoid scores mean nothing: choose softmax." : $"Scores are softmax or sigmoid, not '{kind}'.");
    if (form.Files["picture"] is not { Length: > 0 } file)
        throw new BadHttpRequestException("There is no picture: drop one on the page, paste one or choose one.");
    var bytes = new byte[file.Length];
    await using (Stream content = file.OpenReadStream())
        await content.ReadExactlyAsync(bytes, aborted);
    return (Decode(file.FileName, bytes), labels, set, kind == "sigmoid");
}

// The size is read before any pixel is: a few bytes can ask for much memory.
static MLImage Decode(string name, byte[] bytes)
{
    using SKData data = SKData.CreateCopy(bytes);
    using SKCodec? codec = SKCodec.Create(data);
    if ((long)(codec?.Info.Width ?? 0) * (codec?.Info.Height ?? 0) > MaxPixels)
        throw new BadHttpRequestException($"{name} has {codec!.Info.Width} x {codec.Info.Height} pixels; {MaxPixels / 1_000_000} million are the most.");
    try
    {
        return Emoji.Decode(new MemoryStream(bytes));
    }
    catch (ArgumentException)
    {
        throw new BadHttpRequestException($"{name} is no picture that can be read here: PNG, JPEG, WebP, GIF and BMP can, where they are whole.");
    }
}
