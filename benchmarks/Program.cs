using Microsoft.ML.Contrastive.Benchmarks;

switch (args)
{
    case ["views"]:
        ViewRates.Run();
        return 0;
    default:
        Console.Error.WriteLine("""
            Usage: dotnet run -c Release --project benchmarks -- <verb>
              views    views a second on one core
            """);
        return 2;
}
