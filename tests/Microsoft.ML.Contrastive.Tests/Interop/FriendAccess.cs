using System.Runtime.CompilerServices;

// The tests touch the same internals of ML.NET as the library does.
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Core")]
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Data")]
